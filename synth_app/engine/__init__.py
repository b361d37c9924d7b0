"""The instrument's engine: rings, mixer, clock, inbox, telemetry and the control loop."""
