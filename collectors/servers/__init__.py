"""What the settings, engines and models of single servers look like, for their files in `collectors/frameworks/`."""
