"""What is stored for a stack: backups, the audit log, and the bytes of releases."""
