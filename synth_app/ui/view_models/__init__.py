"""What the panel thinks, without widgets: every class here is tested without a screen."""
