"""What was changed on a service, what was promised of it, and what came of it?"""
