"""Deploys of services, and updates that change a stack's configuration."""
