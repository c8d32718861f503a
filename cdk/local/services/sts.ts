import type { Environment } from '../environment.ts';
import { ServiceError, sendQueryError } from '../http/error.ts';
import { type Exchange, send } from '../http/exchange.ts';
import { element } from '../http/xml.ts';
import { uuid } from '../ids.ts';

const STS_XMLNS = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** STS GetCallerIdentity: who one is, in an account where everybody may do everything. */
export function handleSts(env: Environment, exchange: Exchange, form: URLSearchParams): void {
  const requestId = uuid();
  const action = form.get('Action');
  if (action !== 'GetCallerIdentity') {
    const error = new ServiceError('InvalidAction', `The local engine offers GetCallerIdentity of STS, not ${action}.`);
    sendQueryError(exchange.res, error, STS_XMLNS);
    return;
  }
  const result = {
    Arn: `arn:aws:sts::${env.accountId}:assumed-role/local/engine`,
    UserId: 'AROALOCALENGINE:engine',
    Account: env.accountId,
  };
  const xml = element(
    'GetCallerIdentityResponse',
    { GetCallerIdentityResult: result, ResponseMetadata: { RequestId: requestId } },
    STS_XMLNS,
  );
  send(exchange.res, 200, { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, xml);
}
