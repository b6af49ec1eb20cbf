"""The description of all addresses as an OpenAPI document, made of small pieces from the server's own bounds."""
