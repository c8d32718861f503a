import { ServiceError } from '../../http/error.ts';

/** Errors of S3 with the codes and statuses of its API reference. */
export const noSuchBucket = (bucket: string) =>
  new ServiceError('NoSuchBucket', `The specified bucket does not exist: ${bucket}`, 404);
export const noSuchKey = (key: string) => new ServiceError('NoSuchKey', `The specified key does not exist: ${key}`, 404);
export const noSuchUpload = (id: string) =>
  new ServiceError('NoSuchUpload', `The specified multipart upload does not exist: ${id}`, 404);
export const preconditionFailed = (condition: string) =>
  new ServiceError('PreconditionFailed', `At least one of the pre-conditions you specified did not hold: ${condition}`, 412);
export const invalid = (message: string, code = 'InvalidRequest') => new ServiceError(code, message, 400);
export const notHere = (what: string) => new ServiceError('NotImplemented', `The local engine does not offer ${what}.`, 501);
export const accessDenied = (why: string) => new ServiceError('AccessDenied', `Access Denied: ${why}.`, 403);
