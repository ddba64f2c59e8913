"""The command app: a form in the browser over the functions and commands that are there without it."""
