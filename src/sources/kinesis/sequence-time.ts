/**
 * Reads from a sequence number about when its record was put, in milliseconds since 1970; nothing when it has another form.
 *
 * AWS documents no form. What is known: 186 bits, the last digit in hexadecimal is the version, and version 2 has the seconds
 * of the put in nine digits before the shard's number. https://github.com/mhart/kinesalite/blob/master/db/index.js
 * Sequence numbers of AWS that people printed with their arrival times agree. https://github.com/spring-attic/spring-integration-aws/issues/90
 * So it may say how long something is and save a call, and must not decide what is lost.
 */
export function sequenceTimeMs(sequence: string): number | undefined {
  const digits = BigInt(sequence).toString(16);
  if (digits.length !== 47 || !digits.startsWith('2') || !digits.endsWith('2')) return undefined;
  return Number.parseInt(digits.slice(29, 38), 16) * 1000;
}
