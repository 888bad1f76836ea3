#include "fault_vfs.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace holdfast::store {
namespace {

/// What SQLite sees of an open file; the default VFS's own file follows it in memory.
struct File {
  sqlite3_file base;
  const char* name;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File* of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_vfs* default_vfs() { return sqlite3_vfs_find("unix"); }

std::string contents_of(sqlite3_file* real) {
  sqlite3_int64 size = 0;
  real->pMethods->xFileSize(real, &size);
  std::string contents(static_cast<std::size_t>(size), '\0');
  real->pMethods->xRead(real, contents.data(), static_cast<int>(size), 0);
  return contents;
}

int close(sqlite3_file* file) { return of(file)->real()->pMethods->xClose(of(file)->real()); }
int read(sqlite3_file* file, void* data, int size, sqlite3_int64 at) {
  return of(file)->real()->pMethods->xRead(of(file)->real(), data, size, at);
}
int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  if (FaultVfs::instance().write_fails(of(file)->name)) return SQLITE_IOERR_WRITE;
  return of(file)->real()->pMethods->xWrite(of(file)->real(), data, size, at);
}
int truncate(sqlite3_file* file, sqlite3_int64 size) {
  return of(file)->real()->pMethods->xTruncate(of(file)->real(), size);
}
int sync(sqlite3_file* file, int flags) {
  sqlite3_file* real = of(file)->real();
  if (FaultVfs::instance().sync_fails(of(file)->name)) return SQLITE_IOERR_FSYNC;
  // Read before the sync: what another thread writes meanwhile is not covered by it.
  std::string contents = contents_of(real);
  const int code = real->pMethods->xSync(real, flags);
  if (code == SQLITE_OK) FaultVfs::instance().synced(of(file)->name, std::move(contents));
  return code;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return of(file)->real()->pMethods->xFileSize(of(file)->real(), size);
}
int lock(sqlite3_file* file, int level) {
  return of(file)->real()->pMethods->xLock(of(file)->real(), level);
}
int unlock(sqlite3_file* file, int level) {
  return of(file)->real()->pMethods->xUnlock(of(file)->real(), level);
}
int check_reserved_lock(sqlite3_file* file, int* held) {
  return of(file)->real()->pMethods->xCheckReservedLock(of(file)->real(), held);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  return of(file)->real()->pMethods->xFileControl(of(file)->real(), operation, argument);
}
int sector_size(sqlite3_file* file) {
  return of(file)->real()->pMethods->xSectorSize(of(file)->real());
}
int device_characteristics(sqlite3_file* file) {
  return of(file)->real()->pMethods->xDeviceCharacteristics(of(file)->real());
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return of(file)->real()->pMethods->xShmMap(of(file)->real(), page, size, extend, memory);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return of(file)->real()->pMethods->xShmLock(of(file)->real(), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { of(file)->real()->pMethods->xShmBarrier(of(file)->real()); }
int shm_unmap(sqlite3_file* file, int remove) {
  return of(file)->real()->pMethods->xShmUnmap(of(file)->real(), remove);
}

constexpr sqlite3_io_methods methods{2,
                                     close,
                                     read,
                                     write,
                                     truncate,
                                     sync,
                                     file_size,
                                     lock,
                                     unlock,
                                     check_reserved_lock,
                                     file_control,
                                     sector_size,
                                     device_characteristics,
                                     shm_map,
                                     shm_lock,
                                     shm_barrier,
                                     shm_unmap,
                                     nullptr,
                                     nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  of(file)->base.pMethods = nullptr;
  of(file)->name = name == nullptr ? "" : name;
  const int code = default_vfs()->xOpen(default_vfs(), name, of(file)->real(), flags, out_flags);
  if (code == SQLITE_OK) of(file)->base.pMethods = &methods;
  return code;
}
int remove(sqlite3_vfs*, const char* name, int sync_directory) {
  const int code = default_vfs()->xDelete(default_vfs(), name, sync_directory);
  if (code == SQLITE_OK) FaultVfs::instance().deleted(name);
  return code;
}

std::string contents_of(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

}  // namespace

FaultVfs& FaultVfs::instance() {
  static FaultVfs* const instance = new FaultVfs;
  return *instance;
}

FaultVfs::FaultVfs() {
  sqlite3_initialize();
  vfs_ = *default_vfs();
  vfs_.szOsFile += static_cast<int>(sizeof(File));
  vfs_.zName = name;
  vfs_.xOpen = open;
  vfs_.xDelete = remove;
  sqlite3_vfs_register(&vfs_, 0);
}

void FaultVfs::cut_power(const std::filesystem::path& from, const std::filesystem::path& to,
                         Left left) {
  std::filesystem::create_directories(to);
  const std::lock_guard lock{mutex_};
  for (const char* file : {"holdfast.db", "holdfast.db-wal"}) {
    const bool is_wal = std::strlen(file) > std::strlen("holdfast.db");
    const bool as_written = is_wal ? left == Left::wal_as_written : left == Left::db_as_written;
    const auto found = synced_.find((from / file).string());
    if (found == synced_.end() && !as_written) continue;
    const std::string contents = as_written ? contents_of(from / file) : found->second;
    std::ofstream{to / file, std::ios::binary} << contents;
  }
}

void FaultVfs::take_as_synced(const std::filesystem::path& dir) {
  const std::lock_guard lock{mutex_};
  for (const auto& file : std::filesystem::directory_iterator{dir}) {
    synced_[file.path().string()] = contents_of(file.path());
  }
}

void FaultVfs::fail_syncs(const std::string& suffix, int count, int errno_value) {
  const std::lock_guard lock{mutex_};
  syncs_ = {suffix, count, errno_value};
}

void FaultVfs::fail_writes(const std::string& suffix, int count) {
  const std::lock_guard lock{mutex_};
  writes_ = {suffix, count, EIO};
}

bool FaultVfs::fails(Fault& fault, const std::string& file) {
  const std::lock_guard lock{mutex_};
  if (fault.count == 0 || !file.ends_with(fault.suffix)) return false;
  --fault.count;
  errno = fault.errno_value;
  return true;
}

void FaultVfs::synced(const std::string& file, std::string contents) {
  const std::lock_guard lock{mutex_};
  synced_[file] = std::move(contents);
}

void FaultVfs::deleted(const std::string& file) {
  const std::lock_guard lock{mutex_};
  synced_.erase(file);
}

}  // namespace holdfast::store
