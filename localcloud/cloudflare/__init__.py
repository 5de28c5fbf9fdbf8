"""The Cloudflare API: accounts, zones, Workers. `routes` is the table, `workers` does the work."""
