"""The Cloudflare API: accounts, zones, Workers. `routes` is the table of endpoints; `workers` holds the operations."""
