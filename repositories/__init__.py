"""Find, commit and push the changes of several git repositories at once.

Nothing here prints or asks questions: the functions return values. Of the project, only `errors`, `programs`,
`retry` and `yaml_text` are imported. See README.md.
"""
