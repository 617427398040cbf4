// What these lessons need may not be there: then one clear line, instead of a program that waits.

/** Ends the program if there is a problem. */
export function need(problem: string | undefined): void {
  if (problem === undefined) return
  console.error(`${problem}: the text of lesson 5 says how to start it`)
  process.exit(1)
}
