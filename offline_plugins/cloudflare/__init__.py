"""The offline cloudflare plugin: Workers and their subdomains, domains and cron triggers, KV, D1, R2 and queues."""
