"""Everything of slim that is not published under a name of its own: ground, parts, programs.

One package, so that no module of ours can be taken for a user's, or a user's for ours. A floor
imports from its own rooms and from the floors below; `nets`, `datasets`, `preprocessing` and
`deployment`, which keep their published places, belong to the parts.
"""
