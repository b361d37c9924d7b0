"""What tests share: a sound server, recordings, a MIDI client, the program in a subprocess, pitch and level meters."""
