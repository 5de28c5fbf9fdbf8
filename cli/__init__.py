"""The `oracle` command, in layers: commands, features, runs, the engine, text and errors."""
