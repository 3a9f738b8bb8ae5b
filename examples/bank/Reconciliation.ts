/**
 * Compares what a file says happened to an account with what the bank booked.
 */
import { inEuros } from "./Account.ts"
import type { Booking } from "./Movements.ts"

/** What does not agree in the bookings of an account, a sentence each. */
export const reconcile = (bookings: ReadonlyArray<Booking>): ReadonlyArray<string> => {
  const problems: Array<string> = []
  let balance = 0
  let difference = 0
  for (const { line, movement: { account, amount, checksum, date, kind, reference } } of bookings) {
    const change = kind === "deposit" ? amount : -amount
    const problem = (text: string) => problems.push(`${date} ${account} ${reference}: ${text}`)
    balance = line?.balance ?? balance
    if (line === undefined) {
      problem(`a ${kind} of ${inEuros(amount)} was refused with ${inEuros(balance)} in the account`)
    } else if (line.change !== change) {
      problem(`booked as ${inEuros(line.change)}, but ${inEuros(change)} in the file`)
    } else if (balance - checksum !== difference) {
      // A wrong row puts every balance after it out by as much: it is reported where it begins, not all the way.
      problem(`leaves ${inEuros(balance)} in the account, but ${inEuros(checksum)} in the file`)
    }
    difference = balance - checksum
  }
  return problems
}
