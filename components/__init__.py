"""The boxes of the picture: one file each. Nothing here asks for the stack's name, or reads configuration."""
