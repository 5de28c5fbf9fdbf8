"""The offline digitalocean plugin: App, UptimeCheck and UptimeAlert."""
