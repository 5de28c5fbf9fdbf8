"""The offline stand-in for the digitalocean plugin: App, UptimeCheck and UptimeAlert."""
