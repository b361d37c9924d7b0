"""The performer: a pure state machine from events to actions.

It knows keys, pedals, channels, the morph and the limit of voices, and nothing of audio, threads, files or the clock:
the only time it knows is the one that its events carry. The same events therefore always give the same actions, live,
offline and in tests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from synth_app.core.events import (
    ChannelPressure,
    ControlChange,
    Event,
    NoteOff,
    NoteOn,
    Panic,
    PitchBend,
    PolyPressure,
    ProgramChange,
    SetMorph,
    SetParam,
    SourceLost,
    SystemReset,
    VoiceDone,
)
from synth_app.core.params import PARAMS, default_settings_params
from synth_app.core.units import db_to_gain
from synth_app.midi import channel as midi
from synth_app.midi.channel import Channel
from synth_app.performer import expression
from synth_app.performer.actions import (
    Action,
    ChooseProgram,
    GainVoice,
    KillVoice,
    ReleaseVoice,
    RetimbreVoice,
    SetMaster,
    StartVoice,
    TuneVoice,
    WantsChanged,
)
from synth_app.performer.morphing import Morphing
from synth_app.performer.stealing import victims
from synth_app.performer.voices import Sound, Voice, VoiceBook, VoiceState
from synth_app.performer.wants import Hands, Wants, make_wants
from synth_app.timbre.morph import Weights, path_weights
from synth_app.timbre.palette import Palette, Rendered
from synth_app.timbre.patch import Patch

MAX_PILED = 3
"""Voices of one key that may pile up under a pedal; the oldest beyond them is released."""


class Performer:
    """Decides the music. Owned by one thread; what :meth:`handle` and :meth:`tick` return is to be done in order."""

    def __init__(self, palette: Palette, settings: Mapping[str, float]) -> None:
        """Begin with a patch on a model.

        Args:
            palette: the working patch, resolved.
            settings: the instrument's parameters (those of :mod:`synth_app.core.params` that presets do not keep);
                missing ones take their default.
        """
        self._settings = default_settings_params()
        self._settings.update((k, v) for k, v in settings.items() if k in self._settings)
        self._channels = [Channel() for _ in range(16)]
        self._channels_of: dict[str, set[int]] = {}
        self._voices = VoiceBook()
        self._next_id = 1
        self._hands = Hands()
        self._sound = Sound(palette, palette.patch)
        self._morph = Morphing(palette)

    # --- what it is asked -------------------------------------------------------------------------------------------

    def handle(self, event: Event) -> list[Action]:
        """Take in one event. Values out of range are brought into it; what makes no sense any more is ignored."""
        match event:
            case NoteOn():
                return self._note_on(event)
            case NoteOff():
                return self._note_off(event)
            case ControlChange():
                return self._control(event)
            case PitchBend() | ChannelPressure() | PolyPressure():
                return self._wheel(event)
            case ProgramChange():
                channel = self._channel(event.channel, event.source)
                channel.program = event.program
                return [ChooseProgram(event.time_ns, event.channel, channel.bank, event.program)]
            case SetMorph():
                return self._set_morph(event.time_ns, event.weights)
            case SetParam():
                return self._set_param(event)
            case VoiceDone():
                self._voices.remove(event.voice_id)
                return []
            case Panic() | SystemReset():
                return self._silence_everything(event)
            case SourceLost():
                return self._source_lost(event)
            case _:
                return []

    def set_palette(self, time_ns: int, palette: Palette) -> list[Action]:
        """Play another patch, or the same on another model, from now on.

        Held notes go on as they are and end properly, or follow, as the player chose (``switch_follow``). When only
        weights, places or parameters differ they belong to the new patch at once.
        """
        former, self._sound = self._sound, Sound(palette, palette.patch)
        for channel in self._channels:
            channel.rpn = channel.rpn.without_bend_range()
        same_model = palette.model_info.model_id == former.palette.model_info.model_id
        everyone = same_model and self._settings["switch_follow"] >= 0.5
        for voice in self._voices:
            if everyone or (voice.sound is former and palette.same_timbres(former.palette)):
                voice.sound = self._sound
        self._morph = Morphing(palette)
        return [
            *self._retimbre(time_ns),
            *self._refresh(time_ns, self._voices),
            self._master(time_ns),
            WantsChanged(time_ns),
        ]

    def tick(self, time_ns: int) -> list[Action]:
        """Let a gliding morph move on."""
        return self._advance(time_ns)

    @property
    def next_tick_ns(self) -> int | None:
        """When :meth:`tick` is due, or ``None`` while the morph rests."""
        return self._morph.next_tick_ns

    # --- what it shows ----------------------------------------------------------------------------------------------

    @property
    def asked_weights(self) -> Weights:
        """The morph as the player set it."""
        return self._morph.asked

    @property
    def sounding_weights(self) -> Weights:
        """The morph that a note struck now would have: quantised, sum 1."""
        return self._morph.weights

    @property
    def patch(self) -> Patch:
        """The working patch with its weights and parameters as now set."""
        return self._sound.patch

    @property
    def voices(self) -> tuple[VoiceState, ...]:
        """Every voice that may still be heard, oldest first."""
        return tuple(voice.state for voice in self._voices)

    @property
    def settings(self) -> dict[str, float]:
        """The instrument's parameters as now set."""
        return dict(self._settings)

    def wants(self) -> Wants:
        """What is likely to be played next."""
        held = self._voices.held(lambda voice: voice.sound is self._sound)
        return make_wants(
            self._sound.palette,
            self._hands,
            self.sounding_weights,
            self._morph.ahead(),
            [voice.note_key.pitch for voice in reversed(held)],
        )

    # --- notes ------------------------------------------------------------------------------------------------------

    def _note_on(self, event: NoteOn) -> list[Action]:
        channel = self._channel(event.channel, event.source)
        channel.key_pressure.pop(event.pitch, None)
        actions = self._advance(event.time_ns)
        actions += self._restrike(event)
        actions += self._make_room(event.time_ns, 1)
        voice, note = self._new_voice(event, channel)
        self._voices.add(voice)
        return [*actions, _start(voice, note, event), WantsChanged(event.time_ns)]

    def _new_voice(self, event: NoteOn, channel: Channel) -> tuple[Voice, Rendered]:
        """A voice for a stroke; the model's note nearest to where it will sound is chosen here."""
        patch = self._sound.patch
        velocity = expression.stroke_velocity(event.velocity, channel.soft)
        played = event.pitch + patch.param("transpose_semitones")
        pitch = math.floor(played + channel.rpn.tuning_semitones + 0.5)
        note = self._sound.palette.note(self.sounding_weights, velocity, pitch)
        self._hands.play(pitch, velocity)
        voice = Voice(
            self._next_id,
            event.source,
            event.channel,
            event.pitch,
            velocity,
            event.time_ns,
            self._sound,
            played,
            note.note_key,
        )
        self._next_id += 1
        self._express(voice)
        return voice, note

    def _restrike(self, event: NoteOn) -> list[Action]:
        """Room for a new stroke of the same key: the former one is let go, and few may pile up under a pedal."""
        former = self._voices.held(lambda v: _same_key(v, event))
        actions = self._keys_up(event.time_ns, [v for v in former if v.gated])
        piled = [v for v in former if not v.released]
        return actions + self._release(event.time_ns, piled[: max(0, len(piled) - MAX_PILED + 1)])

    def _note_off(self, event: NoteOff) -> list[Action]:
        self._channel(event.channel, event.source)
        return self._keys_up(event.time_ns, self._voices.held(lambda v: _same_key(v, event)))

    def _keys_up(self, time_ns: int, voices: Iterable[Voice]) -> list[Action]:
        """Keys were let go: those that no pedal holds end."""
        loose = []
        for voice in voices:
            voice.gated = False
            if not self._pedal_holds(voice):
                loose.append(voice)
        return self._release(time_ns, loose)

    def _pedals_moved(self, time_ns: int, number: int) -> list[Action]:
        """A pedal went up: what neither a key nor another pedal holds ends."""
        return self._release(
            time_ns,
            self._voices.held(lambda v: v.channel == number and not v.gated and not self._pedal_holds(v)),
        )

    def _pedal_holds(self, voice: Voice) -> bool:
        channel = self._channels[voice.channel]
        return channel.sustain or (channel.sostenuto and voice.captured)

    def _release(self, time_ns: int, voices: Iterable[Voice]) -> list[Action]:
        actions: list[Action] = []
        for voice in voices:
            voice.gated = False
            voice.released_ns = time_ns
            actions.append(ReleaseVoice(time_ns, voice.voice_id))
        return actions

    def _kill(self, time_ns: int, voices: Iterable[Voice]) -> list[Action]:
        actions: list[Action] = []
        for voice in voices:
            self._voices.remove(voice.voice_id)
            actions.append(KillVoice(time_ns, voice.voice_id))
        return actions

    def _make_room(self, time_ns: int, newcomers: int) -> list[Action]:
        """Steal what exceeds the polyphony."""
        excess = len(self._voices) + newcomers - round(self._settings["polyphony"])
        return self._kill(time_ns, victims(self._voices, excess, time_ns))

    # --- channels ---------------------------------------------------------------------------------------------------

    def _channel(self, number: int, source: str) -> Channel:
        """A channel's state; the source that speaks on it is remembered for the day that it vanishes."""
        self._channels_of.setdefault(source, set()).add(number)
        return self._channels[number]

    def _control(self, event: ControlChange) -> list[Action]:
        channel = self._channel(event.channel, event.source)
        controller, now = event.controller, event.time_ns
        if controller not in midi.RESERVED and controller == round(self._sound.patch.param("morph_cc")):
            return self._set_morph(now, path_weights(event.value / 127.0, len(self._sound.patch.anchors)))
        if controller == midi.ALL_SOUND_OFF:
            return self._kill(now, self._voices.on_channel(event.channel))
        if controller == midi.ALL_NOTES_OFF or controller in midi.MODE_CHANGES:
            return self._keys_up(now, self._voices.held(lambda v: v.channel == event.channel and v.gated))
        if controller == midi.RESET_CONTROLLERS:
            channel.reset_controllers()
            return self._channel_changed(now, event.channel)
        if controller == midi.SOSTENUTO:
            self._sostenuto(event, channel)
        if not channel.control(controller, event.value, event.source):
            return []
        return self._channel_changed(now, event.channel)

    def _sostenuto(self, event: ControlChange, channel: Channel) -> None:
        """The pedal catches the keys that are down when it goes down, and only those."""
        if event.value >= 64 and not channel.sostenuto:
            for voice in self._voices.on_channel(event.channel):
                voice.captured = voice.gated

    def _wheel(self, event: PitchBend | ChannelPressure | PolyPressure) -> list[Action]:
        channel = self._channel(event.channel, event.source)
        match event:
            case PitchBend():
                channel.bend = event.value
            case ChannelPressure():
                channel.pressure = event.value
            case PolyPressure():
                channel.key_pressure[event.pitch] = event.value
        return self._refresh(event.time_ns, self._voices.on_channel(event.channel))

    def _channel_changed(self, time_ns: int, number: int) -> list[Action]:
        return [*self._pedals_moved(time_ns, number), *self._refresh(time_ns, self._voices.on_channel(number))]

    def _silence_everything(self, event: Panic | SystemReset) -> list[Action]:
        """Panic keeps volumes, programs and tuning; a system reset forgets them too."""
        for number, channel in enumerate(self._channels):
            if isinstance(event, Panic):
                channel.reset_controllers()
            else:
                self._channels[number] = Channel()
        return self._kill(event.time_ns, self._voices)

    def _source_lost(self, event: SourceLost) -> list[Action]:
        """What a vanished port was holding ends: its keys at once, and what only its pedals held."""
        actions = self._release(event.time_ns, self._voices.held(lambda v: v.source == event.source))
        for number in sorted(self._channels_of.pop(event.source, ())):
            self._channels[number].lost(event.source)
            actions += self._channel_changed(event.time_ns, number)
        return actions

    # --- morph and parameters ---------------------------------------------------------------------------------------

    def _set_morph(self, time_ns: int, weights: Sequence[float]) -> list[Action]:
        """Send the morph elsewhere. Weights meant for a patch with other anchors come too late and are ignored."""
        if not self._morph.send(time_ns, weights, self._sound.patch.param("glide_ms")):
            return []
        self._sound.patch = self._sound.patch.with_weights(self._morph.asked)
        return self._advance(time_ns)

    def _advance(self, time_ns: int) -> list[Action]:
        """Bring the morph to a moment; held voices follow when it reached another step."""
        if not self._morph.advance(time_ns):
            return []
        return [*self._retimbre(time_ns), WantsChanged(time_ns)]

    def _retimbre(self, time_ns: int) -> list[Action]:
        """Held voices of the working patch change to the note that the morph now asks for."""
        actions: list[Action] = []
        for voice in self._voices.held(lambda v: v.sound is self._sound):
            note = self._sound.palette.note(self.sounding_weights, voice.velocity, voice.note_key.pitch)
            if note.note_key != voice.note_key:
                voice.note_key = note.note_key
                actions.append(RetimbreVoice(time_ns, voice.voice_id, note.note_key, note.latent))
        return actions

    def _set_param(self, event: SetParam) -> list[Action]:
        """Set a parameter of the patch or the instrument (names and ranges are checked where they are asked for)."""
        spec = PARAMS.get(event.name)
        if spec is None or not math.isfinite(event.value):
            return []
        value = min(spec.highest, max(spec.lowest, event.value))
        if not spec.in_patch:
            self._settings[spec.name] = value
        else:
            self._sound.patch = self._sound.patch.with_param(spec.name, value)
            if spec.name == "bend_range_semitones":
                for channel in self._channels:
                    channel.rpn = channel.rpn.without_bend_range()
        actions = self._make_room(event.time_ns, 0) if spec.name == "polyphony" else []
        if spec.name in ("master_db", "vibrato_hz"):
            actions.append(self._master(event.time_ns))
        if spec.name == "transpose_semitones":
            actions.append(WantsChanged(event.time_ns))
        return actions + self._refresh(event.time_ns, self._voices)

    def _master(self, time_ns: int) -> SetMaster:
        return SetMaster(time_ns, db_to_gain(self._settings["master_db"]), self._sound.patch.param("vibrato_hz"))

    # --- expression -------------------------------------------------------------------------------------------------

    def _refresh(self, time_ns: int, voices: Iterable[Voice]) -> list[Action]:
        """Tell the mixer of every voice whose pitch or level is another than it was told last."""
        actions: list[Action] = []
        for voice in voices:
            tuning, gains = voice.tuning, voice.gains
            self._express(voice)
            if voice.tuning != tuning:
                actions.append(TuneVoice(time_ns, voice.voice_id, *voice.tuning))
            if voice.gains != gains:
                actions.append(GainVoice(time_ns, voice.voice_id, *voice.gains))
        return actions

    def _express(self, voice: Voice) -> None:
        """Work out a voice's pitch and level from its stroke, its patch and its channel."""
        channel, patch = self._channels[voice.channel], voice.sound.patch
        stroke = expression.velocity_gain(voice.velocity, patch.param("velocity_range_db"))
        voice.gains = expression.voice_gains(stroke, patch.param("volume_db"), channel)
        semitones = voice.played_pitch - voice.note_key.pitch
        reach = patch.param("bend_range_semitones")
        voice.tuning = (
            expression.voice_rate(semitones, reach, self._settings["a4_hz"], channel),
            expression.vibrato_depth(voice.pitch, patch.param("vibrato_cents"), channel),
        )


def _start(voice: Voice, note: Rendered, event: NoteOn) -> StartVoice:
    played = (event.channel, event.pitch, event.velocity)
    envelope = expression.envelope(voice.sound.patch)
    return StartVoice(
        event.time_ns, voice.voice_id, *played, note.note_key, note.latent, *voice.tuning, *voice.gains, envelope
    )


def _same_key(voice: Voice, event: NoteOn | NoteOff) -> bool:
    return (voice.source, voice.channel, voice.pitch) == (event.source, event.channel, event.pitch)
