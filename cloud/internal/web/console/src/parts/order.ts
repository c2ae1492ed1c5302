/** The order of a table: a column and a direction. */
export interface Order<C extends string> {
  by: C
  down: boolean
}
