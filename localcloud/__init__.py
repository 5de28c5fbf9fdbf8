"""A cloud on loopback: it serves the DigitalOcean and Cloudflare APIs and really runs the deployed programs."""

VERSION = "1.0.0"
