{{- define "latentprint.name" -}}
{{- if contains "latentprint" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-latentprint" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select; `part` is worker, notify or backup. */}}
{{- define "latentprint.selector" -}}
app.kubernetes.io/name: latentprint
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "latentprint.labels" -}}
{{ include "latentprint.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "latentprint.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "latentprint.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "latentprint.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Each of `settings` as its variable, and of `secrets`. Numbers by toJson: helm would print
     100000000 as 1e+08. */}}
{{- define "latentprint.environment" -}}
{{- range $group, $content := .settings }}
{{- if kindIs "map" $content }}
{{- range $name, $value := $content }}
{{- if not (kindIs "invalid" $value) }}
- name: LATENTPRINT_{{ upper $group }}__{{ upper $name }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- else }}
- name: LATENTPRINT_{{ upper $group }}
  value: {{ $content | quote }}
{{- end }}
{{- end }}
{{- range .secrets }}
- name: LATENTPRINT_{{ .setting | replace "." "__" | upper }}
  valueFrom: {secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}}
{{- end }}
{{- end -}}

{{- define "latentprint.mounts" -}}
- {name: cache, mountPath: /var/cache/latentprint}
{{- range . }}
- {name: {{ printf "files-%s" .name }}, mountPath: {{ .path | quote }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "latentprint.volumes" -}}
{{- range . }}
- name: files-{{ .name }}
  {{- if .secret }}
  secret: {secretName: {{ .secret | quote }}, defaultMode: 0440}
  {{- else if .configMap }}
  configMap: {name: {{ .configMap | quote }}}
  {{- else }}
  persistentVolumeClaim: {claimName: {{ required "each of files needs one of secret, configMap, claim" .claim | quote }}, readOnly: true}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Rules of egress; `to` is a list of {to, ports}. */}}
{{- define "latentprint.egress" -}}
{{- range . }}
- to:
    {{- toYaml .to | nindent 4 }}
  ports:
    {{- range .ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "latentprint.prefix" -}}
{{- $contract := .Files.Get "files/contract.json" | fromJson -}}
{{- dig "kafka" "prefix" $contract.prefix .Values.settings -}}
{{- end -}}

{{/* Workers in shadow are a group of their own; see worker/settings/kafka.py. */}}
{{- define "latentprint.group" -}}
{{- $contract := .Files.Get "files/contract.json" | fromJson -}}
{{- $group := dig "kafka" "group" $contract.group .Values.settings -}}
{{- if dig "kafka" "shadow" false .Values.settings -}}{{ $group }}-shadow{{- else -}}{{ $group }}{{- end -}}
{{- end -}}
