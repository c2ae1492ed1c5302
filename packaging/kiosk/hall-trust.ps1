# Makes this Windows PC trust the pages of the hall whose root lies beside this file as hall-ca.crt. Windows 7 and later (PowerShell 2).
# As administrator it is for everybody on this PC, else for the one who runs it.
$ErrorActionPreference = 'Stop'
$here = Split-Path -Parent $MyInvocation.MyCommand.Path
$file = Join-Path $here 'hall-ca.crt'
if ($args.Count -gt 0) { $file = $args[0] }
if (-not (Test-Path $file)) { Write-Host "找不到 $file"; exit 2 }

$root = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 $file
$isRoot = $false
foreach ($e in $root.Extensions) {
  if ($e -is [System.Security.Cryptography.X509Certificates.X509BasicConstraintsExtension]) { $isRoot = $e.CertificateAuthority }
}
if (-not $isRoot) { Write-Host "$file 不是根证书"; exit 1 }
# The class that certified machines allow, too, also where SHA256Managed is forbidden.
$sha = New-Object System.Security.Cryptography.SHA256CryptoServiceProvider
$pairs = [BitConverter]::ToString($sha.ComputeHash($root.RawData)).Replace('-', ':')
Write-Host "名称     $($root.Subject)"
Write-Host "SHA-256  $pairs"
Write-Host "SHA-1    $($root.Thumbprint)"
$answer = Read-Host '和大厅主机上 hall-agent trust 显示的一样吗？一样就输入 yes'
if ($answer -ne 'yes') { Write-Host '没有安装'; exit 1 }

$me = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
$where = 'CurrentUser'
if ($me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) { $where = 'LocalMachine' }
$store = New-Object System.Security.Cryptography.X509Certificates.X509Store 'Root', $where
$store.Open('ReadWrite')
$store.Add($root)
$store.Close()
if ($where -eq 'CurrentUser') { Write-Host '只给现在登录的这个账户装好了；给全部账户装，请右键“以管理员身份运行”。' }

# Firefox has its own list, and reads that of Windows if it is told to.
if ($where -eq 'LocalMachine') {
  $key = 'HKLM:\SOFTWARE\Policies\Mozilla\Firefox\Certificates'
  if (-not (Test-Path $key)) { New-Item -Path $key -Force | Out-Null }
  Set-ItemProperty -Path $key -Name ImportEnterpriseRoots -Value 1 -Type DWord
}
Write-Host '装好了。把浏览器全部关掉再打开。'
