/**
 * Which connections are of interest: the same that the shim would lead to the network proxy (`wanted` in
 * layers/shim/steer.c). Local ones are the instance's own, such as the Runtime API, unless an endpoint override names them.
 */
const listed = (process.env.ALASTOR_STEER ?? '').split(',').filter((place) => place !== '');
const extra = new Set(listed.map((place) => place.replace(/\/http$/, '')));
const LOCAL = /^(127\.0\.0\.1|0\.0\.0\.0|::1|::|169\.254\.\d+\.\d+|fe[89ab][0-9a-f]:.*)$/i;

export function isObserved(addr: string, port: number): boolean {
  const bare = addr.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return !LOCAL.test(bare) || extra.has(`${bare}:${port}`) || extra.has(`[${bare}]:${port}`);
}
