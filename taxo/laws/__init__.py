"""The laws that methods keep: each a function of a subject, which answers with a verdict."""
