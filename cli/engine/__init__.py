"""The Pulumi engine as a subprocess, its state, locks and plugins, and the stacks' files and environments."""
