"""Which sounds of a soundfont are instruments, what they are called, and which families they form.

``CURATED`` is the choice for the shipped model, made for MuseScore_General (MIT): General MIDI's places, with names a
player would use. The rule takes every melodic preset of any soundfont, under its own name where the list has none for
it, in the family its General MIDI program number says.
"""

from dataclasses import dataclass

from synth_app.training.soundfont import DRUM_BANK, Preset


@dataclass(frozen=True, slots=True)
class Instrument:
    """A sound to learn: its place in the soundfont, its unique name and its family."""

    bank: int
    program: int
    name: str
    family: str


_CURATED = """
piano: 0:0 Grand Piano, 0:1 Bright Piano, 8:0 Mellow Piano, 0:2 Electric Grand, 0:3 Honky-Tonk Piano
keys: 0:4 Tine Electric Piano, 0:5 FM Electric Piano, 0:6 Harpsichord, 0:7 Clavinet
mallets: 0:8 Celesta, 0:9 Glockenspiel, 0:10 Music Box, 0:11 Vibraphone, 0:12 Marimba, 0:13 Xylophone, 0:15 Dulcimer
mallets: 0:108 Kalimba, 0:114 Steel Drums
organ: 0:16 Drawbar Organ, 0:17 Percussive Organ, 0:18 Rock Organ, 0:19 Church Organ, 0:20 Reed Organ
organ: 0:21 Accordion, 0:22 Harmonica, 0:23 Bandoneon
guitar: 0:24 Nylon Guitar, 0:25 Steel Guitar, 0:26 Jazz Guitar, 0:27 Clean Guitar, 0:28 Muted Guitar
guitar: 0:29 Overdrive Guitar, 0:30 Distortion Guitar, 0:31 Guitar Harmonics, 8:25 Twelve-String Guitar
plucked: 0:46 Harp, 16:25 Mandolin, 8:24 Ukulele, 0:104 Sitar, 0:105 Banjo, 0:106 Shamisen, 0:107 Koto
bass: 0:32 Acoustic Bass, 0:33 Fingered Bass, 0:34 Picked Bass, 0:35 Fretless Bass, 0:36 Slap Bass
bass: 0:38 Synth Bass, 0:39 Rubber Bass
strings: 0:40 Violin, 0:41 Viola, 0:42 Cello, 0:43 Contrabass, 0:110 Fiddle, 0:45 Pizzicato Strings
strings: 0:44 Tremolo Strings, 0:48 String Section, 0:49 Slow Strings, 0:50 Synth Strings, 0:51 Silk Strings
voice: 0:52 Choir Aahs, 0:53 Voice Oohs, 0:54 Synth Voice, 0:85 Solo Vox
brass: 0:56 Trumpet, 0:57 Trombone, 0:58 Tuba, 0:59 Muted Trumpet, 0:60 French Horns, 0:61 Brass Section
brass: 0:62 Synth Brass, 0:63 Soft Synth Brass
reed: 0:64 Soprano Sax, 0:65 Alto Sax, 0:66 Tenor Sax, 0:67 Baritone Sax, 0:68 Oboe, 0:69 English Horn
reed: 0:70 Bassoon, 0:71 Clarinet, 0:109 Bagpipe, 0:111 Shenai
flute: 0:72 Piccolo, 0:73 Flute, 0:74 Recorder, 0:75 Pan Flute, 0:76 Bottle, 0:77 Shakuhachi, 0:78 Whistle
flute: 0:79 Ocarina
lead: 0:80 Square Lead, 0:81 Saw Lead, 0:82 Calliope Lead, 0:83 Chiffer Lead, 0:84 Charang, 0:87 Bass and Lead
lead: 8:80 Sine Wave
pad: 0:88 Fantasia, 0:89 Warm Pad, 0:90 Polysynth, 0:91 Space Voice, 0:92 Bowed Glass, 0:94 Halo Pad
pad: 0:95 Sweep Pad, 0:98 Crystal, 0:99 Atmosphere, 0:100 Brightness
"""

_GM_FAMILIES = (
    ("piano", 4), ("keys", 4), ("mallets", 8), ("organ", 8), ("guitar", 8), ("bass", 8), ("strings", 12), ("voice", 4),
    ("brass", 8), ("reed", 8), ("flute", 8), ("lead", 8), ("pad", 16), ("plucked", 8),
)  # fmt: skip
_NO_INSTRUMENT = {14, 47, 55, *range(112, 128)} - {114}
_EXPRESSION_TWINS = {17, 18, 21, 26, 31, 41, 51}
GENERAL_MIDI_SHARE = 0.9
"""How much of the curated list's places a soundfont fills for their names to fit it."""


def curated() -> tuple[Instrument, ...]:
    """The instruments of the shipped model, in families."""
    found = []
    for line in _CURATED.strip().splitlines():
        family, entries = line.split(": ", 1)
        for entry in entries.split(", "):
            place, name = entry.split(" ", 1)
            bank, program = place.split(":")
            found.append(Instrument(int(bank), int(program), name, family))
    return tuple(found)


def by_rule(presets: list[Preset]) -> tuple[Instrument, ...]:
    """Every melodic preset of any soundfont: no drums, no sound effects, no doubles for expression controllers.

    In a soundfont that fills General MIDI's places, those of the curated list have its names and families, and come
    in its order before the others.
    """
    places = {(preset.bank, preset.program) for preset in presets}
    known = {(instrument.bank, instrument.program): instrument for instrument in curated()}
    named = [instrument for place, instrument in known.items() if place in places]
    found = named if len(named) > GENERAL_MIDI_SHARE * len(known) else []
    used, taken = {instrument.name for instrument in found}, {(one.bank, one.program) for one in found}
    for preset in presets:
        if preset.bank == DRUM_BANK or preset.bank in _EXPRESSION_TWINS or preset.program in _NO_INSTRUMENT:
            continue
        if (preset.bank, preset.program) in taken:
            continue
        name = preset.name if preset.name not in used else f"{preset.name} {preset.bank}-{preset.program}"
        used.add(name)
        found.append(Instrument(preset.bank, preset.program, name, gm_family(preset.program)))
    return tuple(found)


def gm_family(program: int) -> str:
    """The family of a General MIDI program 0..127."""
    last = 0
    for family, size in _GM_FAMILIES:
        last += size
        if program < last:
            return family
    return "effects"
