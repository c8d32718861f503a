export type { AuditSettings } from '../layers/settings.ts';
export { Alastor } from './alastor.ts';
export type { AuditAllOptions, AuditOptions, FunctionSelector } from './audit.ts';
export type { Auditable } from './auditor.ts';
export { AuditedDockerImageCode, type AuditedImageAssetProps } from './docker-image.ts';
export type { MonitoringProps } from './monitoring.ts';
export type { AlastorProps } from './props.ts';
export { AlastorReference, type AlastorReferenceProps } from './reference.ts';
export type { SharingProps } from './sharing.ts';
