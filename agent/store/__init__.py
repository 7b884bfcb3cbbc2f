"""Keep what was read: raw rows a day per file, minute rows, findings, and recordings, all in SQLite."""
