"""Every benchmark as one table: `python -m bench`, or `make bench`.

Ratios against a peer measured in the same run: absolute times say more of the machine than of the code.
"""

from bench import pipeline


def main() -> None:
    print("| what | seconds | peer | seconds | ratio | goal | |", "|---|---|---|---|---|---|---|", sep="\n")
    for row in pipeline.rows():
        ratio = row.ours / row.theirs
        verdict = "met" if ratio <= row.goal else "missed"
        figures = f"{row.what} | {row.ours:.2f} | {row.peer} | {row.theirs:.2f} | {ratio:.2f} | {row.goal} {verdict}"
        print(f"| {figures} | {row.note} |", flush=True)


if __name__ == "__main__":
    main()
