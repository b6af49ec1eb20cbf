"""The server: one model for many clients, over HTTP as OpenAI's clients speak it. Needs the extra `server`."""
