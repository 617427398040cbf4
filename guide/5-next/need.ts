// What a lesson needs may not be there: then one clear line, instead of a program that waits.

/** Ends the program if there is a problem. */
export function need(problem: string | undefined): void {
  if (problem === undefined) return
  console.error(`${problem}: see the text of lesson 5`)
  process.exit(1)
}
