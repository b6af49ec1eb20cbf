"""Work in bulk: any number of items in, a result or an error for each out, in order and in bounded memory."""
