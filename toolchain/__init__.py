"""Installs what the project runs on: a Python environment, the Pulumi engine, Node with a Workers runtime, PocketBase.

Only the standard library is imported here: this package runs before anything is installed.
"""
