/* SPDX-License-Identifier: MIT */
/* boot/uefi/uefi.h - the few pieces of the firmware's interface that the stub
 * uses, written from the UEFI specification 2.10; the numbers are its sections.
 *
 * Members that we do not call stand as void pointers: only their place counts.
 * Compiled for a Windows target, so calls follow the firmware's convention.
 */
#pragma once
#include <stdint.h>

/* 2.3.1: a status has its top bit set when it is an error (appendix D). */
typedef uintptr_t efi_status;
typedef void *efi_handle;

#define EFI_SUCCESS           ((efi_status)0)
#define EFI_ERROR(n)          ((efi_status)(n) | (efi_status)1 << (sizeof(efi_status) * 8 - 1))
#define EFI_LOAD_ERROR        EFI_ERROR(1)
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_BUFFER_TOO_SMALL  EFI_ERROR(5)

struct efi_guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

/* 4.2.1 */
struct efi_table_header {
	uint64_t signature;
	uint32_t revision, header_size, crc32, reserved;
};

/* 7.2.1, "AllocatePages": kinds of allocation. */
enum efi_allocate { EFI_ALLOCATE_ANY, EFI_ALLOCATE_BELOW, EFI_ALLOCATE_AT };

/* 7.2.1, table 7.5: kinds of memory. */
enum efi_memory {
	EFI_RESERVED,
	EFI_LOADER_CODE,
	EFI_LOADER_DATA,
	EFI_BOOT_CODE,
	EFI_BOOT_DATA,
	EFI_RUNTIME_CODE,
	EFI_RUNTIME_DATA,
	EFI_CONVENTIONAL,
	EFI_UNUSABLE,
	EFI_ACPI_RECLAIM,
	EFI_ACPI_NVS,
	EFI_MMIO,
	EFI_MMIO_PORTS,
	EFI_PAL,
	EFI_PERSISTENT,
};

#define EFI_PAGE_SHIFT 12
#define EFI_PAGE_SIZE  (1u << EFI_PAGE_SHIFT)

/* 7.2.3, "GetMemoryMap". The firmware's own entries may be longer. */
struct efi_memory_descriptor {
	uint32_t type, reserved;
	uint64_t physical_start, virtual_start, pages, attribute;
};

/* 4.4.1 */
struct efi_boot_services {
	struct efi_table_header header;
	void *raise_tpl, *restore_tpl;
	efi_status (*allocate_pages)(enum efi_allocate how, uint32_t type, uintptr_t pages,
				     uint64_t *address);
	void *free_pages;
	efi_status (*get_memory_map)(uintptr_t *size, void *map, uintptr_t *key, uintptr_t *stride,
				     uint32_t *version);
	efi_status (*allocate_pool)(uint32_t type, uintptr_t size, void **out);
	void *free_pool;
	void *create_event, *set_timer, *wait_for_event, *signal_event, *close_event, *check_event;
	void *install_protocol, *reinstall_protocol, *uninstall_protocol;
	efi_status (*handle_protocol)(efi_handle handle, const struct efi_guid *protocol,
				      void **out);
	void *reserved, *register_notify, *locate_handle, *locate_device_path;
	void *install_configuration_table;
	void *load_image, *start_image, *exit, *unload_image;
	efi_status (*exit_boot_services)(efi_handle image, uintptr_t map_key);
	void *get_monotonic_count, *stall, *set_watchdog;
	void *connect_controller, *disconnect_controller;
	void *open_protocol, *close_protocol, *open_protocol_information;
	void *protocols_per_handle, *locate_handle_buffer;
	efi_status (*locate_protocol)(const struct efi_guid *protocol, void *registration,
				      void **out);
};

/* 12.4 */
struct efi_text_output {
	void *reset;
	efi_status (*output_string)(struct efi_text_output *self, const uint16_t *text);
};

/* 4.6.1 */
struct efi_configuration_table {
	struct efi_guid guid;
	const void *table;
};

/* 8.5.1, "ResetSystem" */
enum efi_reset { EFI_RESET_COLD, EFI_RESET_WARM, EFI_RESET_SHUTDOWN };

/* 4.5.1 */
struct efi_runtime_services {
	struct efi_table_header header;
	void *get_time, *set_time, *get_wakeup_time, *set_wakeup_time;
	void *set_virtual_address_map, *convert_pointer;
	void *get_variable, *next_variable, *set_variable, *next_monotonic_count;
	void (*reset_system)(enum efi_reset how, efi_status why, uintptr_t size, const void *data);
};

/* 4.3.1 */
struct efi_system_table {
	struct efi_table_header header;
	const uint16_t *vendor;
	uint32_t revision, padding;
	efi_handle console_in_handle;
	void *console_in;
	efi_handle console_out_handle;
	struct efi_text_output *console_out;
	efi_handle error_handle;
	void *error;
	const struct efi_runtime_services *runtime;
	const struct efi_boot_services *boot;
	uintptr_t table_count;
	const struct efi_configuration_table *tables;
};

/* 9.1.1 */
struct efi_loaded_image {
	uint32_t revision, padding;
	efi_handle parent;
	const struct efi_system_table *system;
	efi_handle device;
	void *path, *reserved;
	uint32_t options_size, padding2; /* bytes */
	const uint16_t *options;
	void *base;
	uint64_t size;
};

/* 37.5.1 */
struct efi_rng {
	void *get_info;
	efi_status (*get_rng)(struct efi_rng *self, const struct efi_guid *algorithm,
			      uintptr_t size, void *out);
};

_Static_assert(sizeof(struct efi_memory_descriptor) == 40, "UEFI 2.10, 7.2.3");
_Static_assert(sizeof(struct efi_boot_services) == 24 + 38 * sizeof(void *), "UEFI 2.10, 4.4.1");
