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
    if (at < 0) return;
    this.members.splice(at, 1);
    this.scores.splice(at, 1);
  }

  /**
   * Takes out the members with the least scores until so many are left, and tells which went.
   *
   * @param compare says of members of the same score which goes first
   */
  cut(keep: number, compare: (a: number, b: number) => number): number[] {
    const { members, scores } = this;
    const lowestFirst = members.keys().toArray();
    lowestFirst.sort((a, b) => scores[a]! - scores[b]! || compare(members[a]!, members[b]!));
    const out = new Set(lowestFirst.slice(0, members.length - keep));
    const gone: number[] = [];
    let kept = 0;
    for (let at = 0; at < members.length; at++) {
      if (out.has(at)) gone.push(members[at]!);
      else [members[kept], scores[kept++]] = [members[at]!, scores[at]!];
    }
    members.length = scores.length = kept;
    return gone;
  }
}
