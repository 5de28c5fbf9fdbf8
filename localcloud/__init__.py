"""A cloud on loopback: it answers the DigitalOcean and Cloudflare APIs and really runs what is deployed to it."""

VERSION = "1.0.0"
