"""One module per remote host, over one `Host`."""
