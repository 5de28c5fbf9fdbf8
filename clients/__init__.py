"""Clients of HTTP APIs: DigitalOcean App Platform, Cloudflare Workers, PocketBase. They know no command line."""
