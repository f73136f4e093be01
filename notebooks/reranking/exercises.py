"""The checks behind the exercises: each looks at an answer and gives a hint if it is wrong."""

CHECKS = {}  # name of the exercise -> (what a right answer shows, function returning a hint)


def check(name, answer):
    """Prints whether the answer to an exercise is right, else a hint. Raises nothing."""
    praise, find_problem = CHECKS[name]
    if answer is ...:
        print(f"Exercise {name}: no answer yet. Replace ... by your own and run the cell again.")
        return
    try:
        hint = find_problem(answer)
    except Exception as error:
        hint = f"your answer stopped with {type(error).__name__}: {error}"
    print(f"Exercise {name}: not yet, {hint}" if hint else f"Exercise {name}: right. {praise}")


def exercise(name, praise):
    """Registers the function below it as the check of an exercise; it returns a hint or None."""

    def register(find_problem):
        CHECKS[name] = (praise, find_problem)
        return find_problem

    return register
