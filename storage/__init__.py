"""The stores of a stack: backups, the audit log, and release archives."""
