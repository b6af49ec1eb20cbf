"""Who may call: keys, names of the server, and addresses that it may listen on."""
