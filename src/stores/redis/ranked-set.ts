/** What a sorted set holds, in no order: the numbers of its members, and at the same place the score of each. */
export class RankedSet {
  readonly members: number[] = [];
  readonly scores: number[] = [];

  /** Adds to the score of a member, and tells its place. */
  add(member: number, by: number): number {
    const at = this.members.indexOf(member);
    if (at >= 0) {
      this.scores[at]! += by;
      return at;
    }
    this.scores.push(by);
    return this.members.push(member) - 1;
  }

  remove(member: number): void {
    const at = this.members.indexOf(member);
    if (at >= 0) this.#removeAt(at);
  }

  /**
   * Takes out the members with the least scores until so many are left, and tells which went. Others may stand at another place then.
   *
   * @param compare says of members of the same score which goes first
   */
  cut(keep: number, compare: (a: number, b: number) => number): number[] {
    const gone: number[] = [];
    // One after the other: they are few, and to sort all takes several times as long.
    while (this.members.length > keep) gone.push(this.#removeAt(this.#lowest(compare)));
    return gone;
  }

  #lowest(compare: (a: number, b: number) => number): number {
    const { members, scores } = this;
    let lowest = 0;
    let least = scores[0]!;
    for (let at = 1; at < members.length; at++) {
      const score = scores[at]!;
      if (score > least || (score === least && compare(members[at]!, members[lowest]!) > 0)) continue;
      lowest = at;
      least = score;
    }
    return lowest;
  }

  /** The last one takes its place. */
  #removeAt(at: number): number {
    const { members, scores } = this;
    const removed = members[at]!;
    const [member, score] = [members.pop()!, scores.pop()!];
    if (at < members.length) [members[at], scores[at]] = [member, score];
    return removed;
  }
}
