{{- define "nodewright.labels" -}}
app.kubernetes.io/name: nodewright
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "nodewright.selector" -}}
app.kubernetes.io/name: nodewright
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "nodewright.account" -}}
{{ .Values.serviceAccount.name | default (ternary .Release.Name "default" (eq .Values.mode "daemonset")) }}
{{- end }}

{{- define "nodewright.image" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
{{- end }}

{{- define "nodewright.config" -}}
{{- with .Values.config }}{{ . | trim }}
{{ end }}
{{- if .Values.events.enabled -}}
[notify.kubernetes]
kind = "kubernetes"
severity = {{ .Values.events.severity | quote }}
{{- end }}
{{- end }}

{{- define "nodewright.agent" -}}
{{- $beside := eq .Values.mode "sidecar" -}}
{{- $own := and $beside (eq .Values.rights "same-uid") -}}
- name: nodewright
  {{- include "nodewright.image" . | nindent 2 }}
  {{- if $beside }}
  restartPolicy: Always
  {{- end }}
  args: ["run", "--listen", "0.0.0.0:9753"]
  env:
    {{- if not $own }}
    - {name: NODEWRIGHT_AGENT_SIDECAR_SOCKET, value: /run/nodewright/private/sidecar.sock}
    {{- end }}
    - {name: TMPDIR, value: /var/lib/nodewright}
    - {name: NODEWRIGHT_STORE_SIZE_CAP, value: {{ .Values.state.sizeCap | quote }}}
    - name: NODEWRIGHT_AGENT_NODE
      valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: POD_NAMESPACE
      valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    - name: POD_UID
      valueFrom: {fieldRef: {fieldPath: metadata.uid}}
    - name: NODE_NAME
      valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
    {{- if .Values.gpu.enabled }}
    - {name: NVIDIA_VISIBLE_DEVICES, value: all}
    - {name: NVIDIA_DRIVER_CAPABILITIES, value: utility}
    {{- end }}
    {{- if .Values.tokenSecret }}
    - {name: NODEWRIGHT_HTTP_TOKEN_FILE, value: /etc/nodewright-token/token}
    {{- end }}
    {{- with .Values.pyroscope.url }}
    - {name: NODEWRIGHT_PROFILING_PYROSCOPE_URL, value: {{ . | quote }}}
    {{- end }}
    {{- with .Values.pyroscope.tenant }}
    - {name: NODEWRIGHT_PROFILING_PYROSCOPE_TENANT, value: {{ . | quote }}}
    {{- end }}
    {{- with .Values.extraEnv }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - {name: nodewright, containerPort: 9753}
  livenessProbe:
    httpGet: {path: /healthz, port: nodewright}
    periodSeconds: 30
    timeoutSeconds: 5
  {{- if not $beside }}
  readinessProbe:
    httpGet: {path: /readyz, port: nodewright}
    periodSeconds: 15
    timeoutSeconds: 5
  {{- end }}
  resources:
    {{- toYaml (ternary .Values.resources.sameUid .Values.resources.agent $own) | nindent 4 }}
  securityContext:
    {{- if and .Values.kubelet.enabled (not $beside) }}
    runAsUser: 0
    runAsGroup: 0
    runAsNonRoot: false
    {{- else }}
    runAsUser: {{ ternary .Values.runAsUser 65532 $own }}
    runAsGroup: {{ ternary .Values.runAsGroup 65532 $own }}
    runAsNonRoot: true
    {{- end }}
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: nodewright-state, mountPath: /var/lib/nodewright}
    {{- if not $own }}
    - {name: nodewright-run, mountPath: /run/nodewright}
    {{- end }}
    - {name: nodewright-config, mountPath: /etc/nodewright, readOnly: true}
    {{- if .Values.tokenSecret }}
    - {name: nodewright-token, mountPath: /etc/nodewright-token, readOnly: true}
    {{- end }}
    {{- if .Values.events.enabled }}
    - {name: nodewright-account, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
    {{- end }}
    {{- if not $beside }}
    - {name: pod-logs, mountPath: /var/log/pods, readOnly: true}
    - {name: container-logs, mountPath: /var/log/containers, readOnly: true}
    {{- end }}
    {{- if and .Values.kubelet.enabled (not $beside) }}
    - {name: pod-resources, mountPath: /var/lib/kubelet/pod-resources, readOnly: true}
    {{- end }}
{{- end }}

{{- define "nodewright.sidecar" -}}
- name: nodewright-sidecar
  {{- include "nodewright.image" . | nindent 2 }}
  {{- if eq .Values.mode "sidecar" }}
  restartPolicy: Always
  {{- end }}
  args: ["sidecar", "--socket", "/run/nodewright/private/sidecar.sock", "--allow-uid", "65532"]
  resources:
    {{- toYaml .Values.resources.sidecar | nindent 4 }}
  securityContext:
    runAsUser: 0
    runAsGroup: 65532
    runAsNonRoot: false
    readOnlyRootFilesystem: true
    allowPrivilegeEscalation: false
    capabilities:
      drop: [ALL]
      add: [SYS_PTRACE, DAC_READ_SEARCH]
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: nodewright-run, mountPath: /run/nodewright}
{{- end }}

{{- define "nodewright.volumes" -}}
- name: nodewright-state
  emptyDir: {sizeLimit: {{ .Values.state.sizeLimit }}}
{{- if not (and (eq .Values.mode "sidecar") (eq .Values.rights "same-uid")) }}
- name: nodewright-run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
- name: nodewright-config
  configMap: {name: {{ .Release.Name }}, optional: true}
{{- with .Values.tokenSecret }}
- name: nodewright-token
  secret:
    secretName: {{ . }}
    defaultMode: 0444
    items: [{key: token, path: token}]
{{- end }}
{{- if .Values.events.enabled }}
- name: nodewright-account
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken: {path: token, expirationSeconds: 3600}
      - configMap:
          name: kube-root-ca.crt
          items: [{key: ca.crt, path: ca.crt}]
      - downwardAPI:
          items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]
{{- end }}
{{- if eq .Values.mode "daemonset" }}
- name: pod-logs
  hostPath: {path: /var/log/pods, type: Directory}
- name: container-logs
  hostPath: {path: /var/log/containers, type: Directory}
{{- end }}
{{- if and .Values.kubelet.enabled (eq .Values.mode "daemonset") }}
- name: pod-resources
  hostPath: {path: /var/lib/kubelet/pod-resources, type: Directory}
{{- end }}
{{- end }}

{{- define "nodewright.scheduling" -}}
{{- if .Values.gpu.enabled }}
runtimeClassName: {{ .Values.gpu.runtimeClassName }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "nodewright.annotations" -}}
{{- with include "nodewright.config" . }}
checksum/config: {{ sha256sum . }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}
