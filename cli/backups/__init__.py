"""A stack's backups and audit log, and the rotation of its passwords and tokens."""
