"""Windows that open on request: settings, the first-run page, saving a preset."""
