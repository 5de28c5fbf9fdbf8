"""Stands in for the official cloudflare plugin: WorkersScript, WorkersScriptSubdomain, WorkersCustomDomain."""
