"""Releases of a stack: receipts, promotion to another stack, and rollback."""
