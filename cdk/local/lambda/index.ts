export { InvokeApiError, UnsupportedFunctionError } from './errors.ts';
export { LambdaService } from './service.ts';
export type {
  AsyncOutcome,
  FunctionSpec,
  InstanceInfo,
  InstanceState,
  InvokeOptions,
  InvokeResult,
  LambdaOptions,
} from './types.ts';
