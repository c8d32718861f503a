export type { AuditSettings } from '../layers/settings.ts';
export { Alastor } from './alastor.ts';
export type { AuditAllOptions, FunctionSelector } from './audit.ts';
export { AuditedDockerImageCode, type AuditedImageAssetProps } from './docker-image.ts';
export type { AlastorProps } from './props.ts';
