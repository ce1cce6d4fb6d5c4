"""The network as the environment describes it: certificates, proxies, offline mode; and why a connection failed."""
